import { defineConfig } from 'vite';

export default defineConfig({
  // Relative addresses: the gateway decides at run time under which path the page lives.
  base: './',
  build: {
    outDir: 'out',
    target: 'es2022',
    // A file inlined as a data: address would need room in the page's Content-Security-Policy.
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    // Monaco is large by nature; the warning would say so on every installation.
    chunkSizeWarningLimit: 4000,
    rolldownOptions: {
      onLog(level, log, report) {
        // React's "use client" marks mean nothing in a page without server components.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log);
      },
    },
  },
  worker: { format: 'es' },
  // `npm run dev` beside a running gateway.
  server: { proxy: { '/graphql': 'http://127.0.0.1:8000' } },
});
