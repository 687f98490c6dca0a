// Entry of the bundle: the styles and the example operations are built in.
import '@graphiql/plugin-explorer/style.css';
import 'graphiql/style.css';
import { start } from './ide.js';

const operations = import.meta.glob('./examples/*.graphql', { eager: true, import: 'default', query: '?raw' });
const variables = import.meta.glob('./examples/*.json', { eager: true, import: 'default', query: '?raw' });

start(
  Object.keys(operations)
    .sort()
    .map((path) => ({ query: operations[path], variables: variables[path.replace(/graphql$/, 'json')] })),
);
