import { AppError } from '../../core/errors.ts'

/** What a child process is given of the environment of this one: never all of it. */
const inherited =
  process.platform === 'win32'
    ? ['PATH', 'SystemRoot', 'USERPROFILE', 'TEMP', 'TMP', 'LANG', 'TZ']
    : ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR']

const defaultPath = '/usr/local/bin:/usr/bin:/bin'

/** Variables by which whoever chooses the value chooses what code runs, in loaders, shells, interpreters and git. */
const steering = new RegExp(
  `^(?:${[
    'PATH|HOME|IFS|ENV|PS4|CDPATH|SHELL|SHELLOPTS|BASHOPTS|PROMPT_COMMAND|BASH_.*',
    'LD_.*|DYLD_.*|GCONV_PATH|GLIBC_TUNABLES|LOCPATH|HOSTALIASES|RES_OPTIONS|MALLOC_.*',
    'NODE_.*|NPM_.*|BUN_.*|DENO_.*|PYTHON.*|PERL.*|RUBY.*|GEM_.*|PHP.*|LUA_.*|GO.*|CARGO.*|RUST.*',
    'JAVA_.*|_JAVA_OPTIONS|JDK_.*|CLASSPATH|DOTNET_.*|COMPLUS_.*',
    'GIT_.*|SSH_.*|EDITOR|VISUAL|PAGER|LESS.*|BROWSER|MAKEFLAGS|.*_PROXY|SSL_.*|CURL_.*|OPENSSL_.*|XDG_.*',
    'COMSPEC|PATHEXT|SYSTEMROOT|WINDIR|PSMODULEPATH',
  ].join('|')})$`,
  'i',
)

/** True for a variable that may hold what the configuration says, and never what an event says. */
export function isSteeringVariable(name: string): boolean {
  return steering.test(name)
}

/** Why a name cannot be declared for a child process; undefined when it can. */
export function variableProblem(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return 'is not the name of a variable: letters, digits and _ only'
  if (/^MILLRACE_/i.test(name)) return 'belongs to Millrace'
  return undefined
}

/** The whole environment of a child process: a few names of this process, then what is declared. */
export function childEnvironment(declared: Readonly<Record<string, string>> = {}): Record<string, string> {
  const env: Record<string, string> = {}
  for (const name of inherited) {
    const value = process.env[name]
    if (value !== undefined) env[name] = value
  }
  env['PATH'] ??= defaultPath
  for (const [name, value] of Object.entries(declared)) {
    const problem = variableProblem(name)
    if (problem !== undefined)
      throw new AppError('config-invalid', `the variable ${JSON.stringify(name)} of a command ${problem}`)
    env[name] = value
  }
  return env
}
