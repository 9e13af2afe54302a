// The lines in Java of docs/oauth.md, in a program of their own: `run` puts them where it says so.

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Base64;

public class Page {
    // PASTE

    public static void main(String[] arguments) throws Exception {
        String answer = token(System.getenv("APP_ID"), System.getenv("SECRET"));
        System.out.println(answer.contains("\"access_token\":\"") ? "ok token" : "not ok token: " + answer);
    }
}
