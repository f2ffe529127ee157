// Package isolationtest attacks the whole product across tenants, at its HTTP edge.
//
// Nobody imports it; its tests do the work, and `make isolation` prints what they
// did. Its one promise: every route that app lists, and every field by which a
// request names data, is asked for another's by everybody who may stand at a door;
// whatever leaves is searched for the canaries of whoever is not asking, and a
// refusal counts only beside the same request that is allowed.
//
// A seed is printed and replays: go test ./shared/isolationtest -seed N. The command
// below mutants shows that the tests bite: it breaks the product, one defect at a
// time, and expects the test that the defect names to fail.
package isolationtest
