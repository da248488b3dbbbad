//go:build linux || freebsd

package mount

const systemPrefix, userPrefix = "system.", "user."
