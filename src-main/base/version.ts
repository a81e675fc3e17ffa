import settings from '../../package.json' with { type: 'json' }

/** This program as files name their maker. */
export const program = `MindEye Workstation ${settings.version}`
