import type { Art } from './art.ts'
import { cortexArt } from './cortex.ts'
import type { CortexData } from './cortex.ts'
import { linesArt } from './lines.ts'
import type { LinesData } from './lines.ts'
import { ranksArt } from './ranks.ts'
import type { RanksData } from './ranks.ts'
import { reconstructionArt } from './reconstruction.ts'
import type { ReconstructionData } from './reconstruction.ts'
import { retrievalArt } from './retrieval.ts'
import type { RetrievalData } from './retrieval.ts'
import { scoresArt } from './scores.ts'
import type { ScoresData } from './scores.ts'

export type PanelData = CortexData | LinesData | RanksData | ReconstructionData | RetrievalData | ScoresData

const arts: { [K in PanelData['kind']]: Art<Extract<PanelData, { kind: K }>> } = {
  cortex: cortexArt,
  lines: linesArt,
  ranks: ranksArt,
  reconstruction: reconstructionArt,
  retrieval: retrievalArt,
  scores: scoresArt,
}

/** How these data are drawn. */
export const artOf = ({ kind }: PanelData): Art<PanelData> => arts[kind] as Art<PanelData>
