// Package auth is the only way in: it turns a credential into a tenant.Scope, and
// it is the only maker of routes.
//
// shared/app imports it to declare routes and to open the directory; feature
// packages import it for [Request] and [Reply]. Its one promise: a handler runs
// only after a credential was checked against what its route declares, and the
// Scope it is handed came from that credential and from nothing else in the
// request.
//
// A credential is <kind>_<keyId>_<secret>. The directory, which is the one store
// outside every tenant, keeps for each keyId a keyed hash of the whole
// credential; looking one up costs nothing while it is held in memory, and a
// revoked one is dead everywhere within 60 seconds (revocation.go adds up how).
//
// A [Gate] reads the directory itself, or stands behind an [Authorizer] that does and
// has its word for each request: a [PrincipalToken]. All else of the way in is one path.
package auth
