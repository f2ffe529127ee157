package local

import (
	"github.com/redis/go-redis/v9"

	"switchboard/shared/seal"
	"switchboard/shared/session"
	"switchboard/shared/session/memsession"
	"switchboard/shared/session/redissession"
)

// openSession keeps windows in the Redis that url names, or, where it names none, in
// this process.
func openSession(url string, sealer *seal.Sealer) (*session.Session, error) {
	if url == "" {
		return memsession.New(0), nil
	}
	o, err := redissession.Options(url)
	if err != nil {
		return nil, err
	}
	return redissession.Open(redis.NewClient(o), sealer), nil
}
