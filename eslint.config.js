import js from '@eslint/js'
import vue from 'eslint-plugin-vue'
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
  // Types of components are vue-tsc's business: here they would all be unknown.
  {
    files: ['**/*.vue'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { parser: tseslint.parser } },
    rules: {
      'no-undef': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  // After the parser of TypeScript, which its own calls for the script. No rules of form: prettier formats templates, too.
  ...vue.configs['flat/essential'],
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.config.ts'] },
        tsconfigRootDir: import.meta.dirname,
        // The page's TypeScript imports components, and all of one program must agree on what belongs to it.
        extraFileExtensions: ['.vue'],
      },
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
