// Package kmstest is a stand-in for AWS KMS, for tests on a machine that has Go and
// nothing else.
//
// Tests of kmsseal and of what is built on it import it. It speaks KMS's wire
// protocol (AWS JSON 1.1 over HTTP) and knows GenerateDataKey and Decrypt with
// symmetric keys; what else it is sent it refuses by name. Its one promise: a
// ciphertext opens under the key and the encryption context that made it, and under
// no other. It evaluates no policy.
package kmstest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// Server is a running stand-in. Its methods are safe for concurrent use.
type Server struct {
	mu    sync.Mutex
	keys  map[string]cipher.AEAD
	calls []Call
	hook  func(Call) string
}

// Call is one request that arrived.
type Call struct {
	Op      string // "GenerateDataKey" or "Decrypt"
	Key     string
	Context map[string]string
}

// New returns a Server that [Server.Client] reaches alone, without a socket, so that
// a test in a bubble of testing/synctest can use it.
func New() *Server { return &Server{keys: map[string]cipher.AEAD{}} }

// Start runs a Server until the test ends and returns its endpoint.
func Start(t testing.TB) (endpoint string, s *Server) {
	s = New()
	hs := httptest.NewServer(s)
	t.Cleanup(hs.Close)
	return hs.URL, s
}

// Client returns the SDK's client, whose requests are handed to s as bytes.
func (s *Server) Client() *kms.Client {
	return kms.New(kms.Options{
		BaseEndpoint: aws.String("http://kms.test"), Region: "us-east-1", HTTPClient: direct{s},
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
}

// Dial returns the SDK's client of an endpoint.
func Dial(endpoint string) *kms.Client {
	return kms.New(kms.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
}

// direct is an HTTP client without a network.
type direct struct{ s *Server }

// Do implements the SDK's HTTPClient.
func (d direct) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	d.s.ServeHTTP(w, r)
	return w.Result(), nil
}

// NewKey makes a key and returns its ARN.
func (s *Server) NewKey() string {
	var secret, id [16]byte
	rand.Read(secret[:])
	rand.Read(id[:])
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	arn := "arn:aws:kms:us-east-1:111122223333:key/" + strings.ToLower(rand.Text())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[arn] = aead
	return arn
}

// OnCall sets what decides about each request from now on: the code of an error,
// e.g. "ThrottlingException", or "" to let it through; nil lets all through.
func (s *Server) OnCall(hook func(Call) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// Calls returns the requests of the operation that arrived, those refused too.
func (s *Server) Calls(op string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if c.Op == op {
			out = append(out, c)
		}
	}
	return out
}

// request is what both operations are sent.
type request struct {
	KeyID             string            `json:"KeyId"`
	KeySpec           string            `json:"KeySpec"`
	CiphertextBlob    []byte            `json:"CiphertextBlob"`
	EncryptionContext map[string]string `json:"EncryptionContext"`
}

// answer is what both answer.
type answer struct {
	KeyID               string `json:"KeyId"`
	Plaintext           []byte `json:"Plaintext"`
	CiphertextBlob      []byte `json:"CiphertextBlob,omitempty"`
	EncryptionAlgorithm string `json:"EncryptionAlgorithm,omitempty"`
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	op, known := strings.CutPrefix(target, "TrentService.")
	var in request
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(&in)
	switch {
	case !known || r.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		refuse(w, "UnknownOperationException", "kmstest does not know "+target)
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "):
		refuse(w, "MissingAuthenticationTokenException", "the request is not signed")
	case err != nil:
		refuse(w, "SerializationException", "kmstest: "+err.Error())
	default:
		s.serve(w, op, in)
	}
}

func (s *Server) serve(w http.ResponseWriter, op string, in request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	call := Call{op, in.KeyID, in.EncryptionContext}
	s.calls = append(s.calls, call)
	if s.hook != nil {
		if code := s.hook(call); code != "" {
			refuse(w, code, "injected by a test")
			return
		}
	}
	key, ok := s.keys[in.KeyID]
	switch {
	case !ok:
		refuse(w, "NotFoundException", "Key '"+in.KeyID+"' does not exist")
	case op == "GenerateDataKey" && in.KeySpec == "AES_256" && in.CiphertextBlob == nil:
		plain := make([]byte, 32)
		rand.Read(plain)
		blob := append([]byte(in.KeyID+"\x00"), key.Seal(nil, nil, plain, canonical(in.EncryptionContext))...)
		respond(w, http.StatusOK, answer{KeyID: in.KeyID, Plaintext: plain, CiphertextBlob: blob})
	case op == "Decrypt" && in.KeySpec == "":
		s.decrypt(w, key, in)
	default:
		refuse(w, "ValidationException", "kmstest does not know this form of "+op)
	}
}

// decrypt knows a blob's key by the blob, as KMS does.
func (s *Server) decrypt(w http.ResponseWriter, key cipher.AEAD, in request) {
	owner, sealed, ok := bytes.Cut(in.CiphertextBlob, []byte{0})
	if ok && string(owner) != in.KeyID && s.keys[string(owner)] != nil {
		refuse(w, "IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
		return
	}
	plain, err := key.Open(nil, nil, sealed, canonical(in.EncryptionContext))
	if err != nil {
		refuse(w, "InvalidCiphertextException", "")
		return
	}
	respond(w, http.StatusOK, answer{KeyID: in.KeyID, Plaintext: plain, EncryptionAlgorithm: "SYMMETRIC_DEFAULT"})
}

// canonical is the one encoding of an encryption context.
func canonical(c map[string]string) []byte {
	var pairs [][2]string
	for _, k := range slices.Sorted(maps.Keys(c)) {
		pairs = append(pairs, [2]string{k, c[k]})
	}
	b, err := json.Marshal(pairs)
	if err != nil {
		panic(err)
	}
	return b
}

// serverFault reports whether KMS sends the code with a status of 500.
func serverFault(code string) bool {
	return code == "KMSInternalException" || code == "KeyUnavailableException" || code == "DependencyTimeoutException"
}

func refuse(w http.ResponseWriter, code, message string) {
	status := http.StatusBadRequest
	if serverFault(code) {
		status = http.StatusInternalServerError
	}
	respond(w, status, map[string]*string{"__type": &code, "message": aws.String(message)})
}

func respond(w http.ResponseWriter, status int, out any) {
	body, err := json.Marshal(out)
	if err != nil {
		panic(err) // our own types; the test should see it
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	w.Write(body)
}
