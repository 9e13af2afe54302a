// Package northgate does what Traefik has no setting for: it refuses ambiguous paths, removes in every spelling the headers that
// only Northgate and this gateway write, and answers in JSON where Traefik answers by itself.
package northgate

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
)

// Config has no settings.
type Config struct {
	// For the router of all other paths: answers 404.
	NotFound bool `json:"notFound,omitempty"`
}

// CreateConfig is called by Traefik.
func CreateConfig() *Config { return &Config{} }

// Paths that servers read in different ways, as crates/core/src/allow.rs has them: no path, empty segments, dot segments, what
// is no visible ASCII character, ; \ #, and the escapes of all these, of / ? %, of letters and of digits.
var ambiguous = regexp.MustCompile(`^[^/]|^[^?]*(//|/\.\.?([/?]|$)|[^!-~]|[;\\#]|%[01]|%2[35EeFf]|%3[0-9BbFf]|%[46][1-9A-Fa-f]|%5[0-9AaCc]|%7[0-9AaFf]|%[0-9A-Fa-f]?([^0-9A-Fa-f]|$))`)

// CGI, WSGI and PHP read X_Northgate-App.Id as X-Northgate-App-Id: names are compared with hyphens, and names of anything but
// letters, digits, hyphens and underscores are removed.
var (
	unusual = regexp.MustCompile(`[^A-Za-z0-9_-]`)
	ours    = regexp.MustCompile(`^(x-(northgate|original)-.*|x-forwarded-(method|uri|host|proto|for)|x-real-ip|forwarded|(x-)?client-cert(-chain|-thumbprint)?)$`)
)

// The credentials of a client have these spellings only.
var credentials = map[string]string{"app-key": "app_key", "x-app-key": "x-app-key", "access-token": "access_token"}

// What this gateway answers by itself, as docs/errors.md has it.
var errors = map[int][2]string{
	400: {"50400", "The input is invalid."},
	404: {"50404", "The resource is not found."},
	413: {"50413", "The request body is too large."},
	431: {"50431", "The request headers are too large."},
	500: {"50503", "The service is busy."},
	502: {"50502", "The service cannot be reached."},
	503: {"50503", "The service is busy."},
	504: {"50504", "The service did not answer in time."},
}

type handler struct {
	next     http.Handler
	notFound bool
}

// New is called by Traefik.
func New(_ context.Context, next http.Handler, config *Config, _ string) (http.Handler, error) {
	return &handler{next: next, notFound: config.NotFound}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.RequestURI
	switch {
	case ambiguous.MatchString(target):
		answer(w, http.StatusBadRequest)
	case h.notFound:
		answer(w, http.StatusNotFound)
	default:
		strip(r)
		introduce(r)
		h.next.ServeHTTP(&writer{to: w}, r)
	}
}

// Removes what the client has no right to say. Nothing is removed later because the client has named it in Connection, and
// WebSocket is the only protocol to upgrade to.
func strip(r *http.Request) {
	for name := range r.Header {
		lower := strings.ToLower(name)
		hyphened := strings.ReplaceAll(lower, "_", "-")
		spelled, isCredential := credentials[hyphened]
		if unusual.MatchString(name) || ours.MatchString(hyphened) || isCredential && spelled != lower {
			delete(r.Header, name)
		}
	}
	isWebSocket := strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
	r.Header.Del("Connection")
	if isWebSocket {
		r.Header.Set("Connection", "Upgrade")
	} else {
		r.Header.Del("Upgrade")
	}
	r.Trailer = nil
}

// Says who calls. Traefik adds X-Forwarded-For.
func introduce(r *http.Request) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return
	}
	node := host
	if strings.Contains(host, ":") {
		node = `"[` + host + `]"`
	}
	r.Header.Set("X-Real-Ip", host)
	r.Header.Set("X-Forwarded-Host", r.Host)
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("Forwarded", "for="+node+";proto=https")
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		r.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(r.TLS.PeerCertificates[0].Raw)+":")
	}
}

func answer(w http.ResponseWriter, status int) {
	problem := errors[status]
	if status == http.StatusInternalServerError {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error_code":"%s","error_desc":"%s","resultcode":"%s","resultmsg":"%s"}`, problem[0], problem[1], problem[0], problem[1])
}

// An answer of Traefik's own has no headers: those of Northgate and of the platform have. A bare 500 says that Northgate did not
// answer.
type writer struct {
	to         http.ResponseWriter
	isReplaced bool
}

func (w *writer) Header() http.Header { return w.to.Header() }

func (w *writer) WriteHeader(status int) {
	_, isKnown := errors[status]
	// Northgate's HTTP parser refuses without a body.
	isSilent := status == http.StatusRequestHeaderFieldsTooLarge && w.Header().Get("Content-Type") == ""
	if isKnown && (isSilent || isBare(w.Header())) {
		w.isReplaced = true
		w.Header().Del("Content-Length")
		answer(w.to, status)
		return
	}
	w.to.WriteHeader(status)
}

// Traefik leaves an entry without a value.
func isBare(headers http.Header) bool {
	for _, values := range headers {
		if len(values) > 0 {
			return false
		}
	}
	return true
}

func (w *writer) Write(piece []byte) (int, error) {
	if w.isReplaced {
		return len(piece), nil
	}
	return w.to.Write(piece)
}

func (w *writer) Flush() {
	if flusher, can := w.to.(http.Flusher); can {
		flusher.Flush()
	}
}

func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hijacker, can := w.to.(http.Hijacker)
	if !can {
		return nil, nil, fmt.Errorf("the connection cannot be taken over")
	}
	return hijacker.Hijack()
}
