package mount

// macOS has no namespaces of extended attributes.
const systemPrefix, userPrefix = "", ""

// maxXattrName is the most bytes that the name of one has: XATTR_MAXNAMELEN.
const maxXattrName = 127
