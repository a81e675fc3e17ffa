import type { Bridge } from '../src-main/hosts/bridge.ts'

declare module '*.vue' {
  import type { DefineComponent } from 'vue'
  const component: DefineComponent
  export default component
}

declare global {
  interface Window {
    /** What Electron's preload script offers; absent in a browser. */
    mindeye?: Bridge
  }
}
