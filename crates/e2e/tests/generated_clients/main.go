// Logs in and refreshes by the generated client; prints both access tokens.
package main

import (
	"context"
	"fmt"
	"os"

	client "github.com/northgate/client"
)

func main() {
	configuration := client.NewConfiguration()
	configuration.Servers = client.ServerConfigurations{{URL: os.Getenv("ISSUER")}}
	api := client.NewAPIClient(configuration).ApplicationAPIAPI
	appID, secret := os.Getenv("APP_ID"), os.Getenv("SECRET")
	first, _, err := api.Login(context.Background()).Login(*client.NewLogin(appID, secret)).Execute()
	if err != nil {
		panic(err)
	}
	refresh := *client.NewRefresh(appID, secret, first.RefreshToken)
	next, _, err := api.Refresh(context.Background()).Refresh(refresh).Execute()
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n%s\n", first.AccessToken, next.AccessToken)
}
