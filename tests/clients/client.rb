# Net::HTTP, which writes every header name in its own way; logout sends a form and calls it JSON.

require 'json'
require 'net/http'

API = ENV.fetch('PUBLIC') + '/iocm/app/sec/v1.1.0/'
APP_ID = ENV.fetch('APP_ID')
SECRET = ENV.fetch('SECRET')

def send_to(uri, request)
  secured = uri.scheme == 'https'
  options = secured ? { use_ssl: true, ca_file: ENV.fetch('CERTIFICATE') } : {}
  Net::HTTP.start(uri.host, uri.port, options) { |http| http.request(request) }
end

def post(operation, type, body)
  uri = URI(API + operation)
  request = Net::HTTP::Post.new(uri, 'Content-Type' => type)
  request.body = body
  send_to(uri, request)
end

def login(secret)
  post('login', 'application/x-www-form-urlencoded', URI.encode_www_form(appId: APP_ID, secret: secret))
end

def refresh(token)
  post('refreshToken', 'application/json', { appId: APP_ID, secret: SECRET, refreshToken: token }.to_json)
end

def check(holds, answer)
  raise "#{answer.code} #{answer.body}" unless holds
end

def pair(answer)
  check(answer.is_a?(Net::HTTPOK), answer)
  pair = JSON.parse(answer.body)
  check(pair['expiresIn'].is_a?(Integer), answer)
  pair
end

def refused(answer, status, code)
  check(answer.code == status && JSON.parse(answer.body)['error_code'] == code, answer)
end

first = second = nil
{
  'login' => -> { first = pair(login(SECRET)) },
  'refresh' => lambda {
    second = pair(refresh(first['refreshToken']))
    raise 'the same refresh token' if second['refreshToken'] == first['refreshToken']
  },
  'verify' => lambda {
    uri = URI(ENV.fetch('PRIVATE') + '/verify')
    authorization = "#{second['tokenType']} #{second['accessToken']}"
    answer = send_to(uri, Net::HTTP::Get.new(uri, 'app_key' => APP_ID, 'Authorization' => authorization))
    check(answer.code == '200', answer)
  },
  'refresh-again' => lambda {
    again = pair(refresh(first['refreshToken']))
    raise 'another refresh token' unless again['refreshToken'] == second['refreshToken']
  },
  'logout' => lambda {
    answer = post('logout', 'application/json', "accessToken=#{second['accessToken']}")
    check(answer.code == '204' && answer.body.nil?, answer)
  },
  'refresh-after-logout' => -> { refused(refresh(second['refreshToken']), '400', '50400') },
  'wrong-secret' => -> { refused(login('wrong'), '401', '100208') }
}.each do |name, step|
  step.call
  puts "ok #{name}"
rescue StandardError => e
  puts "not ok #{name}: #{e.message}"
end
