import type { Box, Mark, PanelFacts } from '../scene.ts'
import type { Style } from '../style.ts'

/** How one kind of panel is drawn from its data. */
export interface Art<D> {
  /** Height that it needs in a box of this width; charts are content with more. */
  height(data: D, width: number, style: Style): number
  draw(data: D, box: Box, style: Style): Mark[]
  /** What a reader must be told; the preflight looks whether it is there. */
  facts(data: D): PanelFacts
  /** The numbers behind it: rows of cells, the first with the names of the columns. */
  table(data: D): (string | number)[][]
}
