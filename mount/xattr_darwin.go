package mount

// macOS has no namespaces of extended attributes.
const systemPrefix, userPrefix = "", ""
