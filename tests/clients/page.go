// The lines in Go of docs/oauth.md, in a program of their own: `run` puts them where it says so.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	appID, secret := os.Getenv("APP_ID"), os.Getenv("SECRET")
	// PASTE
	call, _ := http.NewRequest("GET", os.Getenv("PRIVATE")+"/verify", nil)
	call.Header.Set("app_key", appID)
	answer, err := client.Do(call)
	if err != nil || answer.StatusCode != 200 {
		fmt.Println("not ok token:", answer, err)
		return
	}
	fmt.Println("ok token")
}
