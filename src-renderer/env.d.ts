import type { MindEyeBridge } from '../src-main/hosts/bridge.ts'

declare global {
  interface Window {
    /** What Electron's preload script offers; absent in a browser. */
    mindeye?: MindEyeBridge
  }
}
