/**
 * Second pass: colours of the elements. Recolouring is this pass alone.
 *
 * Data colours are exactly those of the colour table, unlit; light falls on anatomy only. Nothing converts colour spaces on the way: the table
 * holds sRGB bytes, and they reach the canvas as they are.
 */
import {
  GLSL3,
  Mesh,
  NoBlending,
  OrthographicCamera,
  PlaneGeometry,
  Scene,
  ShaderMaterial,
  Vector2,
  Vector3,
} from 'three'
import type { IUniform, Texture, WebGLRenderer } from 'three'
import { COLOUR_SCALE_GLSL, type ColourScale } from '../../shared/colourScale.ts'
import { MOST_SETS } from './outlines.ts'
import { FETCH_GLSL } from './textures.ts'

export const scaleUniforms = () => ({
  scaleLower: { value: 0 },
  scalePerUnit: { value: 1 },
  scaleThreshold: { value: 0 },
})

export function setScaleUniforms(uniforms: ReturnType<typeof scaleUniforms>, scale: ColourScale) {
  uniforms.scaleLower.value = scale.limits[0]
  uniforms.scalePerUnit.value = scale.perUnit
  uniforms.scaleThreshold.value = scale.threshold
}

export interface ResolveTextures {
  values: IUniform<Texture>
  voxelOf: IUniform<Texture>
  curvature: IUniform<Texture>
  keys: IUniform<Texture>
  pieceInk: IUniform<Texture>
  lut: IUniform<Texture>
}

export class ResolvePass {
  readonly uniforms
  private readonly scene = new Scene()
  private readonly camera = new OrthographicCamera(-1, 1, 1, -1, 0, 1)
  private readonly material: ShaderMaterial
  private readonly plane = new PlaneGeometry(2, 2)

  constructor(scale: ReturnType<typeof scaleUniforms>, textures: ResolveTextures) {
    this.uniforms = {
      ...scale,
      ...textures,
      ids: { value: null as Texture | null },
      samples: { value: 1 }, // texels of ids per pixel, on each side
      origin: { value: new Vector2() }, // of the tile, in pixels
      margin: { value: 0 }, // pixels around the tile that ids has and the picture has not
      pixel: { value: 1 }, // device pixels per CSS pixel: lines keep their width
      background: { value: new Vector3() },
      alpha: { value: 1 }, // of the background
      perVertex: { value: false }, // values are per vertex instead of per voxel
      hasValues: { value: false },
      hasEdges: { value: false }, // cubes are drawn, with edges
      hasOutlines: { value: false },
      outlineColours: { value: Array.from({ length: MOST_SETS }, () => new Vector3()) },
      selected: { value: -1 },
      selectionColour: { value: new Vector3(1, 1, 1) },
    }
    this.material = new ShaderMaterial({
      glslVersion: GLSL3,
      blending: NoBlending,
      depthTest: false,
      depthWrite: false,
      uniforms: this.uniforms,
      vertexShader: 'void main() { gl_Position = vec4(position.xy, 0.0, 1.0); }',
      fragmentShader: FRAGMENT,
    })
    const quad = new Mesh(this.plane, this.material)
    quad.frustumCulled = false
    this.scene.add(quad)
  }

  render(renderer: WebGLRenderer) {
    renderer.render(this.scene, this.camera)
  }

  dispose() {
    this.material.dispose()
    this.plane.dispose()
  }
}

const FRAGMENT = /* glsl */ `
precision highp int;
precision highp sampler2D;
precision highp isampler2D;
precision highp usampler2D;
uniform sampler2D ids, values, curvature, lut;
uniform isampler2D voxelOf;
uniform usampler2D keys, pieceInk;
uniform int samples, selected, margin;
uniform vec2 origin;
uniform float pixel, alpha;
uniform vec3 background, selectionColour;
uniform bool perVertex, hasValues, hasOutlines, hasEdges;
uniform vec3 outlineColours[${MOST_SETS}];
out vec4 colour;
${FETCH_GLSL}
${COLOUR_SCALE_GLSL}

vec4 texelAt(ivec2 at) {
  return texelFetch(ids, clamp(at, ivec2(0), textureSize(ids, 0) - 1), 0);
}
int elementOf(vec4 texel) {
  ivec3 bytes = ivec3(round(texel.rgb * 255.0));
  return bytes.r + (bytes.g << 8) + (bytes.b << 16) - 1;
}
int voxelAt(int element) { return texelFetch(voxelOf, texelOf(element), 0).r; }

vec3 anatomy(int element, float facing) {
  // Two steps of grey, gyri and sulci; the light is soft enough never to read as data.
  float sulcus = texelFetch(curvature, texelOf(element), 0).r;
  return vec3(mix(0.55, 0.35, sulcus) * (0.78 + 0.22 * facing));
}

vec3 elementColour(int element, float facing) {
  int place = perVertex ? element : voxelAt(element);
  if (!hasValues || place < 0) return anatomy(element, facing);
  int index = colourIndex(texelFetch(values, texelOf(place), 0).r);
  if (index >= 0) return texelFetch(lut, ivec2(index, 0), 0).rgb;
  vec3 grey = anatomy(element, facing);
  if (index == -1) return grey;
  vec2 at = (gl_FragCoord.xy + origin) / pixel;
  return mod(at.x + at.y, 5.0) < 1.6 ? grey + 0.28 : grey - 0.08; // missing: hatched
}

const int RING = 12;
vec2 ring(int k) { float a = 6.2831853 * float(k) / float(RING); return vec2(cos(a), sin(a)); }

vec3 inkOf(uint bits, int element) {
  for (int bit = 0; bit < ${MOST_SETS}; bit++) if (((bits >> uint(bit)) & 1u) != 0u) return outlineColours[bit];
  uint ink = texelFetch(pieceInk, texelOf(element), 0).r;
  return vec3(float(ink & 255u), float((ink >> 8) & 255u), float((ink >> 16) & 255u)) / 255.0;
}
float lightOf(vec3 ink) { return dot(ink, vec3(0.299, 0.587, 0.114)); }

/** Line inside each outlined set, casing on both sides of it; the background is no neighbour. */
vec3 withOutlines(vec3 under, ivec2 base, int element) {
  uint own = texelFetch(keys, texelOf(element), 0).r;
  // Most pixels are far from any edge: eight neighbours as far out as a casing reaches tell so, before all are asked.
  bool isNear = false;
  for (int k = 0; k < 8 && !isNear; k++) {
    float a = 0.7853982 * float(k);
    int other = elementOf(texelAt(base + ivec2(round(vec2(cos(a), sin(a)) * 2.3 * pixel * float(samples)))));
    isNear = other >= 0 && other != element && texelFetch(keys, texelOf(other), 0).r != own;
  }
  if (!isNear) return under;
  uint leaves = 0u; // sets whose edge is near, seen from inside
  float line = 0.0, casing = 0.0, casingLight = 0.0;
  for (int k = 0; k < RING; k++) {
    vec2 direction = ring(k) * pixel * float(samples);
    int a = elementOf(texelAt(base + ivec2(round(direction * 1.3))));
    int b = elementOf(texelAt(base + ivec2(round(direction * 2.3))));
    uint keyA = a < 0 ? own : texelFetch(keys, texelOf(a), 0).r;
    uint keyB = b < 0 ? own : texelFetch(keys, texelOf(b), 0).r;
    uint within = own & ~keyA, without = keyA & ~own, further = own & ~keyB;
    if (within != 0u) { line += 1.0; leaves |= within; }
    else if ((without | further) != 0u) {
      casing += 1.0;
      casingLight += lightOf(without != 0u ? inkOf(without, a) : inkOf(further, element));
    }
  }
  if (line + casing == 0.0) return under;
  vec3 drawn = under;
  if (casing > 0.0) drawn = mix(drawn, vec3(casingLight / casing > 0.45 ? 0.04 : 0.96), min(casing * 6.0 / float(RING), 1.0));
  return line > 0.0 ? mix(drawn, inkOf(leaves, element), min(line * 6.0 / float(RING), 1.0)) : drawn;
}

/** A ring around the selected voxel, wide enough to be seen around a voxel of one pixel. */
vec3 withSelection(vec3 under, ivec2 base, int element) {
  if (voxelAt(element) == selected) return under;
  int distance = 9; // CSS pixels to the voxel
  for (int k = 0; k < RING; k++) {
    vec2 direction = ring(k) * pixel * float(samples);
    for (int r = 1; r <= 4 && r < distance; r++) {
      int other = elementOf(texelAt(base + ivec2(round(direction * float(r)))));
      if (other >= 0 && voxelAt(other) == selected) distance = r;
    }
  }
  if (distance > 4) return under;
  return distance == 2 || distance == 3 ? selectionColour : vec3(0.0);
}

void main() {
  ivec2 base = (ivec2(gl_FragCoord.xy) + margin) * samples;
  int element = -1;
  float facing = 0.0, hits = 0.0;
  for (int y = 0; y < samples; y++)
    for (int x = 0; x < samples; x++) {
      vec4 texel = texelFetch(ids, base + ivec2(x, y), 0);
      int here = elementOf(texel);
      if (here < 0) continue;
      hits += 1.0;
      if (element < 0) { element = here; facing = texel.a; }
    }
  colour = vec4(background * alpha, alpha);
  if (element < 0) return;
  vec3 drawn = elementColour(element, facing);
  if (hasEdges && facing < 0.02) drawn *= 0.55;
  base += samples / 2;
  if (hasOutlines) drawn = withOutlines(drawn, base, element);
  if (selected >= 0) drawn = withSelection(drawn, base, element);
  float coverage = hits / float(samples * samples);
  colour = mix(colour, vec4(drawn, 1.0), coverage);
}
`
