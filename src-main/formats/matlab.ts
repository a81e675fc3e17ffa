/** MATLAB's variables as our readers give them, whichever file version they come from. */
import type { ArrayFile, NdArray } from './array.ts'

/** Numbers or, with dtype `bool`, logicals; C order, so that `shape` [rows, cols] indexes as in MATLAB. */
export interface MatlabNumeric extends NdArray {
  kind: 'numeric'
}
/** A char array; `rows` holds one text per row, padded as in the file. */
export interface MatlabChar {
  kind: 'char'
  shape: number[]
  rows: string[]
}
/** `items` in C order. */
export interface MatlabCell {
  kind: 'cell'
  shape: number[]
  items: MatlabValue[]
}
/** A struct array; each field holds its values in C order: one for the usual 1 x 1 struct. */
export interface MatlabStruct {
  kind: 'struct'
  shape: number[]
  fields: Map<string, MatlabValue[]>
}
export type MatlabValue = MatlabNumeric | MatlabChar | MatlabCell | MatlabStruct

export interface MatlabVariable {
  name: string
  /** MATLAB's word: double, int16, logical, char, cell, struct … */
  className: string
  shape: number[]
  /** Reads the variable; throws a format error that names the class for what we do not read (sparse, complex, objects, functions). */
  value(): MatlabValue
}

/** `arrays` lists the numeric and logical variables, `variables` all of them. */
export interface MatlabFile extends ArrayFile {
  variables: MatlabVariable[]
}
