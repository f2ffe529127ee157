package provider

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// TooLong recognises, in a provider's own sentence, a prompt beyond the model's
// window: neither provider has an error type for it.
func TooLong(sentence string) bool {
	sentence = strings.ToLower(sentence)
	for _, s := range [...]string{
		"is too long", "exceed context limit", "context window", "context length",
		"too many input tokens", "maximum number of tokens", "maximum tokens",
	} {
		if strings.Contains(sentence, s) {
			return true
		}
	}
	return false
}

// maxWait is beyond any wait worth telling a client of.
const maxWait = 24 * time.Hour

// RetryAfter reads when the provider wants to be asked again; 0 = it did not say.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil {
		return wait(ms * float64(time.Millisecond))
	}
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		return wait(s * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil {
		return wait(float64(t.Sub(now)))
	}
	return 0
}

func wait(ns float64) time.Duration {
	if !(ns > 0) { // NaN too
		return 0
	}
	return time.Duration(min(ns, float64(maxWait)))
}
