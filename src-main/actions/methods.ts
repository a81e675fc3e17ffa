/**
 * What the two child processes can be asked, as types only: `hosts/engine.ts` and `hosts/reader.ts` must offer a handler
 * for each, and actions call them through a typed `Channel`. Parameters and results cross by structured clone (typed arrays
 * keep their type); large arrays go through files.
 */
export interface PingResult {
  pid: number
  node: string
}

export interface EngineMethods {
  ping(params: Record<string, never>): PingResult
}

export interface ReaderMethods {
  ping(params: Record<string, never>): PingResult
}
