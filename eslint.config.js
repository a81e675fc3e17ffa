import js from '@eslint/js'
import tseslint from 'typescript-eslint'
import rooms from './scripts/lint/rooms.mjs'

export default tseslint.config(
  { ignores: ['node_modules/', 'dist/', 'out/', 'demo-workspace/'] },
  js.configs.recommended,
  {
    plugins: { rooms },
    rules: {
      'rooms/import-direction': 'error',
      'max-lines': ['error', 400],
      eqeqeq: 'error',
      'no-control-regex': 'off', // binary formats are full of them
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['*.config.ts'] }, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      'no-undef': 'off', // the compiler knows better
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-expect-error': 'allow-with-description' }],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' },
      ],
      // Casts like `tf.matMul(a, b) as tf.Tensor2D` are how tfjs' ranks are told; contracts use method signatures freely.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
      // An async function without await is how a synchronous implementation fits an asynchronous contract.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowArray: true },
      ],
    },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {
      globals: { process: 'readonly', URL: 'readonly', setInterval: 'readonly', clearInterval: 'readonly' },
    },
  },
)
