import type { Configuration } from 'electron-builder'

declare const config: Configuration & {
  files: string[]
  beforePack(): void
  afterAllArtifactBuild(result: { artifactPaths: string[] }): void
}
export default config
