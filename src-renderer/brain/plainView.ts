/** A camera's state for stores, undo and scene files. */
import { Quaternion, Vector3 } from 'three'
import type { View } from './scene/views.ts'
import type { PlainView } from './store.ts'

const rounded = (value: number) => Math.round(value * 1e4) / 1e4

export const toPlain = ({ orientation, target, height, open }: View): PlainView => ({
  orientation: orientation.toArray().map(rounded),
  target: target.toArray().map(rounded),
  height: rounded(height),
  open: rounded(open),
})

export const fromPlain = ({ orientation, target, height, open }: PlainView): View => ({
  orientation: new Quaternion().fromArray(orientation).normalize(),
  target: new Vector3().fromArray(target),
  height,
  open,
})

export const isSameView = (a: PlainView, b: PlainView): boolean => JSON.stringify(a) === JSON.stringify(b)
