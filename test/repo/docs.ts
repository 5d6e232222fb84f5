// Writes the generated pages: `npm run docs`. Tests compare them with what is written here.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { errorPage } from './error-page.ts'
import { root } from './files.ts'
import { httpPage } from './http-page.ts'
import { pluginPage } from './plugin-page.ts'
import { requirementsPage } from './requirements.ts'

const pages: Readonly<Record<string, () => string>> = {
  'docs/reference/errors.md': errorPage,
  'docs/reference/http.md': httpPage,
  'docs/reference/plugins.md': pluginPage,
  'docs/requirements.md': requirementsPage,
}

for (const [path, page] of Object.entries(pages)) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), page())
  console.log(path)
}
