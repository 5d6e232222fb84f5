export default {
  // It starts threads from files of its own, so it must not be bundled.
  serverExternalPackages: ['millrace'],
}
