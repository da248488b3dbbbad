//go:build !unix

package restore

// maxDepth is how many directories may be in one another.
func maxDepth() int { return mostDeep }
