// Puts the page's main part in place of the one that is shown, every two seconds while anybody looks.
const EVERY_MS = 2000;
const live = document.getElementById("live");
let since = new Date();

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(`${location.pathname}?main`, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
    since = new Date();
    if (live.textContent) live.textContent = "";
  } catch {
    live.textContent = `Not refreshed since ${since.toLocaleTimeString()}: the gateway does not answer.`;
  }
}

async function keep() {
  await refresh();
  setTimeout(keep, EVERY_MS);
}

setTimeout(keep, EVERY_MS);
