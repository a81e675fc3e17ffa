export interface Workspace {
  readonly path: string
}
