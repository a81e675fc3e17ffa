/** Voxels as boxes, where no surface is known: in their places in the head, or as cells of a sheet. */
import {
  Box3,
  BoxGeometry,
  InstancedBufferAttribute,
  InstancedBufferGeometry,
  Matrix3,
  Mesh,
  type ShaderMaterial,
  Vector3,
} from 'three'

export interface CubeField {
  /** Centres of the voxels, mm, (V * 3). */
  centres: Float32Array
  /** Edges of a voxel, mm: three columns, row-major 3 x 3. */
  axes: readonly number[]
  /** Size of a voxel below the threshold, as a part of 1; 1 in a sheet, where nothing hides. */
  shrunk: number
}

export class Cubes {
  readonly field: CubeField
  readonly mesh: Mesh<InstancedBufferGeometry, ShaderMaterial>
  readonly bounds = new Box3()

  constructor(field: CubeField, material: ShaderMaterial) {
    this.field = field
    const box = new BoxGeometry(1, 1, 1)
    const geometry = new InstancedBufferGeometry()
    geometry.setIndex(box.index)
    geometry.setAttribute('position', box.getAttribute('position'))
    geometry.setAttribute('normal', box.getAttribute('normal'))
    const count = field.centres.length / 3
    geometry.setAttribute('centre', new InstancedBufferAttribute(field.centres, 3))
    geometry.setAttribute(
      'element',
      new InstancedBufferAttribute(
        Float32Array.from({ length: count }, (_, i) => i),
        1,
      ),
    )
    geometry.instanceCount = count
    const axes = new Matrix3().set(...(field.axes as ConstructorParameters<typeof Matrix3>))
    material.uniforms.axes.value = axes
    material.uniforms.shrunk.value = field.shrunk
    this.mesh = new Mesh(geometry, material)
    this.mesh.frustumCulled = false
    this.bounds.setFromArray(field.centres)
    const size = new Vector3(1, 1, 1).applyMatrix3(axes)
    this.bounds.expandByVector(new Vector3(Math.abs(size.x), Math.abs(size.y), Math.abs(size.z)).multiplyScalar(0.5))
  }

  at(voxel: number): [number, number, number] {
    return [...this.field.centres.subarray(3 * voxel, 3 * voxel + 3)] as [number, number, number]
  }

  dispose() {
    this.mesh.geometry.dispose()
  }
}

/** Cells of a sheet for voxels without places: in the order given, wider than high, row by row from the upper left. */
export function sheet(order: Uint32Array): CubeField {
  const columns = Math.max(1, Math.ceil(Math.sqrt(order.length * 1.8)))
  const centres = new Float32Array(3 * order.length)
  order.forEach((voxel, i) => {
    centres[3 * voxel] = i % columns
    centres[3 * voxel + 1] = -Math.floor(i / columns)
  })
  return { centres, axes: [1, 0, 0, 0, 1, 0, 0, 0, 0.1], shrunk: 1 }
}
