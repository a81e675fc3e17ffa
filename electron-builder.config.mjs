/**
 * `npm run package`: AppImage and deb, zip and nsis, dmg and zip, each built on its own system. What child processes need lies
 * unpacked beside the archive, since they run on plain Node; big weights are never inside.
 */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'

const tensorflow = 'node_modules/@tensorflow/tfjs-node-gpu'
const node = process.platform === 'win32' ? 'node.exe' : 'node'
/** nsis makes broken installers above 2 GB without a word. */
const LARGEST_BYTES = 1.8e9
/** Playwright drives Electron through Node's inspector, which a release must not have. */
const forTests = process.env.MINDEYE_PACKAGE === 'test'

/** @type {import('electron-builder').Configuration} */
const config = {
  appId: 'org.mindeye.workstation',
  productName: 'MindEye Workstation',
  artifactName: '${name}-${version}-${os}-${arch}.${ext}',
  directories: { output: 'dist', buildResources: 'resources/icons' },
  extraMetadata: { homepage: 'https://arxiv.org/abs/2305.18274' },
  files: [
    'package.json',
    'out/**',
    'resources/**',
    '!resources/bin',
    'scripts/setup/**',
    '!node_modules/{node,node-api-headers}',
    '!node_modules/better-sqlite3/{deps,src,binding.gyp}',
    '!node_modules/@tensorflow/*/dist/**/*.{min.js,es2017.js,fesm.js}',
    `!${tensorflow}/{deps,src,binding,binding.gyp}`,
    '!node_modules/**/*.{map,d.ts,d.mts,d.cts,md,tsbuildinfo}',
    '!node_modules/**/{test,tests,__tests__,example,examples,docs}/**',
  ],
  asar: true,
  asarUnpack: ['out/main/**', 'out/renderer/**', 'resources/**', 'scripts/**', 'node_modules/**'],
  extraResources: [
    { from: `node_modules/node/bin/${node}`, to: `node/${node}` },
    { from: 'resources/bin', to: 'bin' },
    // Set-up keeps it in the user's cache and links it, and a package cannot hold a link.
    { from: realOr(`${tensorflow}/deps/lib`), to: `app.asar.unpacked/${tensorflow}/deps/lib` },
  ],
  npmRebuild: false, // every native part is Node-API and prebuilt
  nodeGypRebuild: false,
  electronLanguages: ['en-US'],
  electronFuses: {
    runAsNode: false,
    enableNodeOptionsEnvironmentVariable: false,
    enableNodeCliInspectArguments: forTests,
    enableCookieEncryption: true,
    enableEmbeddedAsarIntegrityValidation: true,
    onlyLoadAppFromAsar: true,
    grantFileProtocolExtraPrivileges: false,
  },
  linux: {
    target: ['AppImage', 'deb'],
    executableName: 'mindeye-workstation',
    category: 'Science',
    synopsis: 'Decode seen images from fMRI',
    maintainer: 'MindEye Workstation <mindeye@localhost>',
  },
  win: { target: ['zip', 'nsis'] },
  nsis: { oneClick: false, allowToChangeInstallationDirectory: true },
  mac: { target: ['dmg', 'zip'], category: 'public.app-category.medical', hardenedRuntime: true },
  publish: null,
  beforePack: checkTensorFlow,
  afterAllArtifactBuild: ({ artifactPaths }) => void artifactPaths.forEach(checkSize),
}
export default config

/** The CPU build, because the CUDA libraries alone are larger than an installer may be; the app fetches those itself. */
function checkTensorFlow() {
  const lib = join(tensorflow, 'deps', 'lib')
  const binding = join(tensorflow, 'lib', 'napi-v8', 'tfjs_binding.node')
  if (!existsSync(binding) || !existsSync(lib) || readdirSync(lib).length === 0)
    throw new Error(`${lib}: expected TensorFlow's library and binding, found none. Run \`npm run setup -- --again\`.`)
  if (existsSync(join(tensorflow, 'deps', 'nvidia')))
    throw new Error(
      `${lib}: expected TensorFlow's CPU build, found the CUDA one. Set MINDEYE_TENSORFLOW=cpu and run this again.`,
    )
}

function checkSize(path) {
  const { size } = statSync(path)
  if (size > LARGEST_BYTES)
    throw new Error(`${path}: expected at most ${LARGEST_BYTES / 1e9} GB, found ${(size / 1e9).toFixed(2)} GB`)
}

function realOr(path) {
  return existsSync(path) ? realpathSync(path) : path
}
