//go:build linux || freebsd

package mount

// FreeBSD's kernel makes these prefixes of its namespaces.
const systemPrefix, userPrefix = "system.", "user."

// maxXattrName is the most bytes that the name of one has.
const maxXattrName = 255
