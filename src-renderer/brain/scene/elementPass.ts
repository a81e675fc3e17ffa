/**
 * First pass: which element (vertex or voxel) is at each pixel, and how is the surface turned there.
 *
 * Red, green and blue hold the element's number + 1 (0: nothing), alpha how much it faces the camera. Colours, outlines and
 * picking all read this one picture, so what is under the pointer is by construction what is drawn there.
 */
import { DoubleSide, GLSL3, NoBlending, ShaderMaterial, type IUniform } from 'three'
import { COLOUR_SCALE_GLSL } from '../../shared/colourScale.ts'
import { FETCH_GLSL } from './textures.ts'

/** Bytes of a number below 2^24 as a colour. */
const ENCODE = /* glsl */ `
  vec4 encode(int element, float facing) {
    int id = element + 1;
    return vec4(vec3(id & 255, (id >> 8) & 255, (id >> 16) & 255) / 255.0, clamp(facing, 0.0, 1.0));
  }
`

/** Reads what ENCODE wrote, as four bytes (R, G, B, A) from `at` on; -1 for nothing. */
export const decode = (bytes: ArrayLike<number>, at = 0) => bytes[at] + 256 * bytes[at + 1] + 65536 * bytes[at + 2] - 1

export const surfaceMaterial = (weights: IUniform) =>
  new ShaderMaterial({
    glslVersion: GLSL3,
    side: DoubleSide,
    blending: NoBlending,
    uniforms: { weights },
    vertexShader: /* glsl */ `
      in vec3 position0, position1, position2, position3;
      in vec4 normal0, normal1, normal2, normal3;
      in float element;
      in float corner;
      uniform vec4 weights; // of white, pial, inflated, flat
      out vec3 barycentric, high, low;
      out float cut;
      out vec3 facing;

      void main() {
        vec3 at = weights.x * position0 + weights.y * position1 + weights.z * position2 + weights.w * position3;
        vec4 turned = weights.x * normal0 + weights.y * normal1 + weights.z * normal2 + weights.w * normal3;
        cut = weights.w > 0.02 ? normal3.w : 0.0;
        facing = normalMatrix * turned.xyz;
        barycentric = vec3(equal(vec3(corner), vec3(0.0, 1.0, 2.0)));
        // In two parts, so that rounding in the interpolation can't reach half a unit.
        float upper = floor(element / 4096.0);
        high = barycentric * upper;
        low = barycentric * (element - 4096.0 * upper);
        gl_Position = projectionMatrix * modelViewMatrix * vec4(at, 1.0);
      }
    `,
    fragmentShader: /* glsl */ `
      precision highp int;
      in vec3 barycentric, high, low;
      in float cut;
      in vec3 facing;
      out vec4 colour;
      ${ENCODE}

      void main() {
        if (cut > 0.001) discard;
        float nearest = max(barycentric.x, max(barycentric.y, barycentric.z));
        vec3 pick = nearest == barycentric.x ? vec3(1, 0, 0) : nearest == barycentric.y ? vec3(0, 1, 0) : vec3(0, 0, 1);
        int element = int(round(dot(pick, high) / nearest)) * 4096 + int(round(dot(pick, low) / nearest));
        colour = encode(element, abs(normalize(facing).z));
      }
    `,
  })

/** What a cube's edge has instead of a facing: no face that is seen is turned away so far. */
export const EDGE = 0

/** Voxels as boxes with dark edges; those below the threshold shrink so that they hide nothing. */
export const cubeMaterial = (uniforms: Record<string, IUniform>) =>
  new ShaderMaterial({
    glslVersion: GLSL3,
    blending: NoBlending,
    uniforms,
    vertexShader: /* glsl */ `
      precision highp int;
      precision highp sampler2D;
      in vec3 centre;
      in float element;
      uniform mat3 axes; // columns: a voxel's edges, mm
      uniform float shrunk; // size of a voxel below the threshold
      uniform sampler2D values;
      out vec3 facing, inside, across;
      flat out int number;
      ${FETCH_GLSL}
      ${COLOUR_SCALE_GLSL}

      void main() {
        number = int(element);
        float size = colourIndex(texelFetch(values, texelOf(number), 0).r) == -1 ? shrunk : 1.0;
        facing = normalMatrix * normal;
        inside = position;
        across = 1.0 - abs(normal); // the two directions that run along this face
        gl_Position = projectionMatrix * modelViewMatrix * vec4(centre + axes * (position * size), 1.0);
      }
    `,
    fragmentShader: /* glsl */ `
      precision highp int;
      in vec3 facing, inside, across;
      flat in int number;
      out vec4 colour;
      ${ENCODE}

      void main() {
        // Texels to the nearest edge of this face.
        vec3 off = (0.5 - abs(inside)) / max(fwidth(inside), 1e-6) + 1e3 * (1.0 - across);
        bool isEdge = min(off.x, min(off.y, off.z)) < 1.0;
        colour = encode(number, isEdge ? ${EDGE.toFixed(1)} : max(0.05, abs(normalize(facing).z)));
      }
    `,
  })
