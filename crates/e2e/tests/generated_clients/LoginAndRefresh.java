import org.openapitools.client.ApiClient;
import org.openapitools.client.api.ApplicationApiApi;
import org.openapitools.client.model.Login;
import org.openapitools.client.model.Refresh;

class LoginAndRefresh {
    public static void main(String[] arguments) throws Exception {
        ApiClient client = new ApiClient();
        client.updateBaseUri(System.getenv("ISSUER"));
        ApplicationApiApi api = new ApplicationApiApi(client);
        String appId = System.getenv("APP_ID"), secret = System.getenv("SECRET");
        var first = api.login(new Login().appId(appId).secret(secret));
        var next = api.refresh(new Refresh().appId(appId).secret(secret).refreshToken(first.getRefreshToken()));
        System.out.println(first.getAccessToken());
        System.out.println(next.getAccessToken());
    }
}
