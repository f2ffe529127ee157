// Package archtest holds the code to its architecture: what must not compile does
// not, who may import whom, what is declared is deployed, who may use which route.
//
// Nobody imports it; its tests read the whole tree. Its one promise: a rule of the
// design that a machine can check is checked here, and each exception stands in a
// list with its reason.
package archtest
