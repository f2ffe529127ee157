package iamtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Guard stands before DynamoDB. It finds out whose request it is by its access key,
// token and signature, and passes on what the policies allow.
func (a *Account) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		l, no := a.signed(r, body, "dynamodb")
		if no != nil {
			a.note(&Principal{ARN: "?"}, nil, no.code)
			deny(w, no.code, no.message)
			return
		}
		asked, err := accesses(r.Header.Get("X-Amz-Target"), body)
		if err != nil {
			a.note(l.who, nil, err.Error())
			deny(w, "SerializationException", err.Error())
			return
		}
		for _, x := range asked {
			if ok, why := l.who.Allows(x.request()); !ok {
				reason := fmt.Sprintf("not authorized to perform: %s on resource: %s because %s", x.action, x.resource, why)
				a.note(l.who, asked, reason)
				deny(w, "AccessDeniedException", "User: "+l.who.ARN+" is "+reason)
				return
			}
		}
		a.note(l.who, asked, "")
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		next.ServeHTTP(w, r)
	})
}

func deny(w http.ResponseWriter, code, message string) {
	body, err := json.Marshal(map[string]string{"__type": "com.amazon.coral.service#" + code, "Message": message})
	if err != nil {
		panic(err) // our own types; the test should see it
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(http.StatusBadRequest)
	w.Write(body)
}
