import { compute } from '../compute/index.ts'
import { evaluate } from '../evaluation/index.ts'
import { figures } from '../figures/index.ts'
import { decode } from '../retrieval/index.ts'
import { data } from '../subjects/index.ts'
import { train } from '../training/index.ts'
import type { PanelDef, Place } from './place.ts'

/** The rail from top to bottom; Compute sits at its foot. */
export const places: readonly Place[] = [data, train, decode, evaluate, figures, compute]

export const placeOf = (id: string): Place => places.find((place) => place.id === id) ?? places[0]

export const panelOf = (id: string): PanelDef | undefined =>
  places.flatMap(({ panels }) => panels).find((panel) => panel.id === id)
