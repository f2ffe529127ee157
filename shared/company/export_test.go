package company

// SplitMatter is for the fuzz test, which holds it to a law of its own.
var SplitMatter = splitMatter
