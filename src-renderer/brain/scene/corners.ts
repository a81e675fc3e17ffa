/**
 * Corner classes: which vertex of its triangle is a pixel nearest to?
 *
 * A fragment shader sees interpolated values only. If the three vertices of every triangle belong to three different
 * classes, one vec3 (1 at the own class, 0 elsewhere) interpolates to the barycentric weights, and the vertex numbers come
 * through beside them, so each pixel knows its nearest vertex and shows exactly that vertex' value instead of a mixture
 * that nobody measured. A mesh can't always be classed so; a vertex that needs two classes is drawn twice.
 */
export interface ClassedMesh {
  /** Triangles over the drawn vertices, (F * 3). */
  index: Uint32Array
  /** Mesh vertex of each drawn vertex, (N'). */
  source: Uint32Array
  /** Class 0, 1 or 2 of each drawn vertex, (N'). */
  corner: Uint8Array
}

const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
]

/** Gives the corners of each triangle three classes, reusing the classes its vertices already have where possible. */
export function classCorners(faces: Uint32Array, vertices: number): ClassedMesh {
  // drawn[3 * vertex + class]: the drawn vertex, or 0 for none (they count from 1 here).
  const drawn = new Uint32Array(3 * vertices)
  const index = new Uint32Array(faces.length)
  const source: number[] = []
  const corner: number[] = []
  for (const face of breadthFirst(faces, vertices)) {
    const at = 3 * face
    let best = ORDERS[0]
    let bestReused = -1
    for (const order of ORDERS) {
      let reused = 0
      for (let k = 0; k < 3; k++) if (drawn[3 * faces[at + k] + order[k]]) reused++
      if (reused > bestReused) [best, bestReused] = [order, reused]
      if (reused === 3) break
    }
    for (let k = 0; k < 3; k++) {
      const slot = 3 * faces[at + k] + best[k]
      if (!drawn[slot]) {
        source.push(faces[at + k])
        corner.push(best[k])
        drawn[slot] = source.length
      }
      index[at + k] = drawn[slot] - 1
    }
  }
  return { index, source: Uint32Array.from(source), corner: Uint8Array.from(corner) }
}

/** Faces so that each touches an earlier one where possible: then its classes mostly follow from its neighbours'. */
function breadthFirst(faces: Uint32Array, vertices: number): Uint32Array {
  const count = faces.length / 3
  const start = new Uint32Array(vertices + 1)
  for (const v of faces) start[v + 1]++
  for (let v = 0; v < vertices; v++) start[v + 1] += start[v]
  const around = new Uint32Array(faces.length)
  const fill = start.slice()
  for (let i = 0; i < faces.length; i++) around[fill[faces[i]]++] = (i / 3) | 0

  const order = new Uint32Array(count)
  const seen = new Uint8Array(count)
  let length = 0
  for (let seed = 0, head = 0; seed < count; seed++) {
    if (seen[seed]) continue
    seen[seed] = 1
    order[length++] = seed
    for (; head < length; head++)
      for (let k = 0; k < 3; k++) {
        const v = faces[3 * order[head] + k]
        for (let i = start[v]; i < start[v + 1]; i++) {
          const next = around[i]
          if (seen[next]) continue
          seen[next] = 1
          order[length++] = next
        }
      }
  }
  return order
}
