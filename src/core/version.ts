/** As in package.json, which a bundler may leave behind. */
export const version = '0.1.0'
