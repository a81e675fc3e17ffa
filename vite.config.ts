import { resolve } from 'node:path'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

/** The page alone (`npm run build:renderer`): what both hosts serve and the browser tests open. */
export default defineConfig({
  root: resolve(import.meta.dirname, 'src-renderer'),
  // Relative, so that the same files work under app:// and http://.
  base: './',
  plugins: [vue()],
  build: {
    outDir: resolve(import.meta.dirname, 'out/renderer'),
    emptyOutDir: true,
    // The page's policy allows fonts and scripts from its own origin only, not as data: URLs.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4000,
    rolldownOptions: { input: resolve(import.meta.dirname, 'src-renderer/index.html') },
  },
})
