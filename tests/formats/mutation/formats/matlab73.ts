import type { MatlabValue } from '../../../../src-main/formats/matlab.ts'
import { openMatlab73 } from '../../../../src-main/formats/matlab73.ts'
import { fixtureBytes } from '../../values.ts'
import type { MutationFormat, Reading } from '../mutations.ts'
import { changeMetadata } from './hdf5.ts'

function flatten(name: string, value: MatlabValue): Reading[] {
  if (value.kind === 'numeric') return [{ name, shape: value.shape, data: value.data }]
  if (value.kind === 'char')
    return [{ name, shape: value.shape.includes(0) ? [0] : value.shape, data: value.rows.join('') }]
  if (value.kind === 'cell') {
    const shape = { name, shape: value.shape, data: value.items.map((_, i) => i) }
    return [shape, ...value.items.flatMap((item, i) => flatten(`${name}{${i}}`, item))]
  }
  return [...value.fields].flatMap(([field, values]) => [
    { name: `${name}.${field}`, shape: value.shape, data: values.map((_, i) => i) },
    ...values.flatMap((item, i) => flatten(`${name}(${i}).${field}`, item)),
  ])
}

const matlab73: MutationFormat = {
  name: 'matlab73',
  extension: '.mat',
  seeds: [fixtureBytes('v73.mat')],
  structure: (bytes, random) => changeMetadata(bytes, random),
  async read(path) {
    const file = await openMatlab73(path)
    try {
      const arrays = file.arrays
        .filter(({ shape }) => shape.length)
        .map((entry) => ({ ...entry.readRows(0, entry.shape[0]), name: `${entry.name} rows` }))
      return [...arrays, ...file.variables.flatMap((variable) => flatten(variable.name, variable.value()))]
    } finally {
      file.close()
    }
  },
  expansion: 1032,
}
export default matlab73
