// net/http: a field that is called Secret, expiresIn as int64, and a status that is exactly 200.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

type pair struct {
	AccessToken  string `json:"accessToken"`
	TokenType    string `json:"tokenType"`
	RefreshToken string `json:"refreshToken"`
	ExpiresIn    int64  `json:"expiresIn"`
	Scope        string `json:"scope"`
}

type refusal struct {
	ErrorCode string `json:"error_code"`
	ErrorDesc string `json:"error_desc"`
}

var (
	appID, secret = os.Getenv("APP_ID"), os.Getenv("SECRET")
	client        = trusting(os.Getenv("CERTIFICATE"))
	first, second pair
)

func trusting(file string) *http.Client {
	certificate, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
}

func post(operation, contentType, body string, into interface{}) (int, error) {
	url := os.Getenv("PUBLIC") + "/iocm/app/sec/v1.1.0/" + operation
	answer, err := client.Post(url, contentType, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || into == nil {
		return answer.StatusCode, err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return answer.StatusCode, fmt.Errorf("%w in %s", err, text)
	}
	return answer.StatusCode, nil
}

func login(secret string, into interface{}) (int, error) {
	return post("login", "application/x-www-form-urlencoded", "Secret="+secret+"&appId="+appID, into)
}

func refresh(token string, into interface{}) (int, error) {
	body, _ := json.Marshal(map[string]string{"appId": appID, "secret": secret, "refreshToken": token})
	return post("refreshToken", "application/json", string(body), into)
}

func is(status, expected int, err error, holds bool, what interface{}) error {
	if err == nil && (status != expected || !holds) {
		err = fmt.Errorf("%d %+v", status, what)
	}
	return err
}

var steps = []struct {
	name string
	step func() error
}{
	{"login", func() error {
		status, err := login(secret, &first)
		return is(status, 200, err, first.ExpiresIn > 0 && first.RefreshToken != "", first)
	}},
	{"refresh", func() error {
		status, err := refresh(first.RefreshToken, &second)
		return is(status, 200, err, second.RefreshToken != first.RefreshToken, second)
	}},
	{"verify", func() error {
		request, _ := http.NewRequest("GET", os.Getenv("PRIVATE")+"/verify", nil)
		request.Header.Set("app_key", appID)
		request.Header.Set("Authorization", second.TokenType+"  "+second.AccessToken)
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		return is(answer.StatusCode, 200, nil, true, answer.Header)
	}},
	{"refresh-again", func() error {
		var again pair
		status, err := refresh(first.RefreshToken, &again)
		return is(status, 200, err, again.RefreshToken == second.RefreshToken, again)
	}},
	{"logout", func() error {
		status, err := post("logout", "application/json", `{"accessToken":"`+second.AccessToken+`"}`, nil)
		return is(status, 204, err, true, nil)
	}},
	{"refresh-after-logout", func() error {
		var refused refusal
		status, err := refresh(second.RefreshToken, &refused)
		return is(status, 400, err, refused.ErrorCode == "50400", refused)
	}},
	{"wrong-secret", func() error {
		var refused refusal
		status, err := login("wrong", &refused)
		return is(status, 401, err, refused.ErrorCode == "100208", refused)
	}},
}

func main() {
	for _, step := range steps {
		if err := step.step(); err != nil {
			fmt.Printf("not ok %s: %v\n", step.name, err)
		} else {
			fmt.Println("ok", step.name)
		}
	}
}
