// Entry of the page without a bundle: an import map in the page says where the packages come from,
// and the example operations are in a JSON block there.
const examples = JSON.parse(document.getElementById('examples').textContent);

try {
  const { start } = await import('./ide.js');
  start(examples);
} catch (error) {
  const text = document.createElement('p');
  text.className = 'placeholder';
  text.textContent = 'GraphiQL could not be loaded from the CDN. Any GraphQL client can be used instead.';
  document.getElementById('graphiql').replaceChildren(text);
  throw error;
}
