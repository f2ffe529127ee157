package auth_test

import (
	"testing"
	"testing/synctest"
	"time"

	"switchboard/shared/cache"
	"switchboard/shared/tenant/auth"
)

// TestHowLongARevocationTakes adds up what revocation.go says.
func TestHowLongARevocationTakes(t *testing.T) {
	t.Parallel()
	l := auth.Lives
	if worst := l.Stale + l.WatchEvery + 2*l.Lookup; worst > l.Bites {
		t.Errorf("a stream, by the directory, which is asked twice: %v", worst)
	}
	if l.Vouch > l.Stale || l.Vouch+l.WatchEvery+l.Lookup > l.Bites {
		t.Errorf("a stream that begins at the end of a word begins on what is staler than a standing: %v", l.Vouch)
	}
	if room := l.Vouch - l.AuthorizerStale - l.GatewayHolds; room < 3*time.Second {
		t.Errorf("a word that a gateway has held for as long as it may has %v left to be used", room)
	}
	if l.Bites != time.Minute {
		t.Errorf("what is promised is a minute, not %v", l.Bites)
	}
}

// A revoked key, and a suspended project, are refused within the time, whatever the
// gateway holds and whenever it asked; and until then nobody is who was not touched.
func TestRevocationBitesBehindAGateway(t *testing.T) {
	for _, holds := range []time.Duration{0, 30 * time.Second, time.Hour} { // the last is a mistake in the template
		for _, when := range []time.Duration{0, 4 * time.Second, 9 * time.Second, 29 * time.Second, 44 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				d, gw := newBehind(t, nil, nil)
				gw.holds = holds
				c, text := d.issue(t, auth.Credential{})
				_, other := d.issue(t, auth.Credential{})
				wantStatus(t, d.say(text), 200)
				time.Sleep(when)
				wantStatus(t, d.say(text), 200)
				synctest.Wait()
				if err := d.dir.Revoke(t.Context(), c.ID); err != nil {
					t.Fatal(err)
				}
				for began := time.Now(); d.say(text).Code != 401; time.Sleep(time.Second) {
					if time.Since(began) > auth.Lives.Vouch {
						t.Fatalf("held for %v, asked at %v: still good %v after it was revoked", holds, when, time.Since(began))
					}
					if holds < time.Minute {
						wantStatus(t, d.say(other), 200)
					}
					synctest.Wait()
				}
				synctest.Wait()
			})
		}
	}
}

// While nobody is revoked nobody is refused, however long a gateway may hold an answer.
func TestAHeldAnswerOutlastsTheGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, gw := newBehind(t, nil, nil)
		gw.holds = auth.Lives.GatewayHolds
		_, text := d.issue(t, auth.Credential{})
		for range 300 {
			wantStatus(t, d.say(text), 200)
			time.Sleep(time.Second)
			synctest.Wait()
		}
	})
}

func TestRevocationBites(t *testing.T) { bothWays(t, testRevocationBites) }

func testRevocationBites(t *testing.T, by way) {
	for _, when := range []time.Duration{0, 24 * time.Second, 26 * time.Second, 49 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			d := by(t, nil, nil)
			c, text := d.issue(t, auth.Credential{})
			wantStatus(t, d.say(text), 200)
			time.Sleep(when)
			wantStatus(t, d.say(text), 200)
			synctest.Wait()
			if err := d.dir.Revoke(t.Context(), c.ID); err != nil {
				t.Fatal(err)
			}
			for waited := 0; d.say(text).Code != 401; waited++ {
				if waited > 60 {
					t.Fatalf("still good %d s after it was revoked", waited)
				}
				time.Sleep(time.Second)
				synctest.Wait()
			}
			synctest.Wait()
		})
	}
}

func TestExpiryBitesAtOnce(t *testing.T) { bothWays(t, testExpiryBitesAtOnce) }

func testExpiryBitesAtOnce(t *testing.T, by way) {
	synctest.Test(t, func(t *testing.T) {
		d := by(t, nil, nil)
		_, text := d.issue(t, auth.Credential{Expires: time.Now().Add(10 * time.Second)})
		wantStatus(t, d.say(text), 200)
		time.Sleep(10 * time.Second)
		wantStatus(t, d.say(text), 401)
	})
}

// A machine that slept wakes up with an old memory; it must not believe it.
func TestRevocationBitesAfterSleep(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	c, text := d.issue(t, auth.Credential{})
	wantStatus(t, d.say(text), 200)
	if err := d.dir.Revoke(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, d.say(text), 200) // control: it is held
	d.gate.Suspend(cache.Stale)
	wantStatus(t, d.say(text), 401)
}
