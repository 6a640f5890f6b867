// Six regions with a hub each, and addresses of cities: for each the region that is nearest, by hand. nearest() finds it by
// another way than the service does: an angle between two vectors from the Earth's centre.
'use strict';

const assert = require('assert');

/** How a hub is told where it is: by a region's name, or by coordinates. What they are is known here by itself. */
const REGIONS = {
  europe: { location: 'West Europe', at: [52.37, 4.90] },
  america: { location: 'eastus', at: [37.37, -79.82] },
  brazil: { location: '-23.55,-46.63', at: [-23.55, -46.63] },
  africa: { location: 'southafricanorth', at: [-25.73, 28.22] },
  asia: { location: '1.28, 103.83', at: [1.28, 103.83] },
  australia: { location: 'australiaeast', at: [-33.86, 151.21] },
};

/** City, an address, its network, latitude, longitude, country, and the region that is nearest. */
const CITIES = `
London         81.2.69.142       81.2.69.0/24       51.51   -0.13  GB  europe
Paris          90.3.14.7         90.3.0.0/16        48.86    2.35  FR  europe
Saint-Denis    90.3.200.9        90.3.200.0/24     -20.88   55.45  RE  africa
Berlin         91.10.20.30       91.10.0.0/16       52.52   13.40  DE  europe
Madrid         88.1.1.2          88.0.0.0/15        40.42   -3.70  ES  europe
Rome           79.0.5.6          79.0.0.0/16        41.90   12.50  IT  europe
Warsaw         83.5.7.8          83.0.0.0/13        52.23   21.01  PL  europe
Moscow         95.24.1.1         95.24.0.0/14       55.75   37.62  RU  europe
Cairo          41.35.9.9         41.32.0.0/12       30.04   31.24  EG  europe
Reykjavik      82.221.0.5        82.221.0.0/17      64.15  -21.94  IS  europe
Dubai          94.200.1.1        94.200.0.0/16      25.20   55.27  AE  europe
Lagos          41.58.1.1         41.58.0.0/16        6.52    3.38  NG  africa
Nairobi        41.80.1.1         41.80.0.0/15       -1.29   36.82  KE  africa
Cape-Town      41.0.3.3          41.0.0.0/16       -33.92   18.42  ZA  africa
New-York       69.86.1.1         69.86.0.0/15       40.71  -74.01  US  america
Chicago        67.160.2.2        67.160.0.0/16      41.88  -87.63  US  america
Los-Angeles    76.80.1.1         76.80.0.0/16       34.05 -118.24  US  america
Anchorage      66.58.128.9       66.58.128.0/17     61.22 -149.90  US  america
Honolulu       72.253.1.1        72.253.0.0/16      21.31 -157.86  US  america
Mexico-City    187.188.1.1       187.188.0.0/16     19.43  -99.13  MX  america
Toronto        99.224.1.1        99.224.0.0/16      43.65  -79.38  CA  america
Bogota         181.48.1.1        181.48.0.0/16       4.71  -74.07  CO  america
Lima           190.40.1.1        190.40.0.0/16     -12.05  -77.04  PE  brazil
Buenos-Aires   181.16.1.1        181.16.0.0/16     -34.60  -58.38  AR  brazil
Santiago       190.20.1.1        190.20.0.0/16     -33.45  -70.67  CL  brazil
Rio            177.96.1.1        177.96.0.0/16     -22.91  -43.17  BR  brazil
Singapore      116.15.1.1        116.14.0.0/15       1.35  103.82  SG  asia
Bangkok        171.96.1.1        171.96.0.0/16      13.76  100.50  TH  asia
Tokyo          126.7.1.1         126.0.0.0/8        35.68  139.77  JP  asia
Seoul          121.128.1.1       121.128.0.0/16     37.57  126.98  KR  asia
Delhi          122.160.1.1       122.160.0.0/16     28.61   77.21  IN  asia
Mumbai         49.32.1.1         49.32.0.0/16       19.08   72.88  IN  asia
Sydney         1.120.1.1         1.120.0.0/16      -33.87  151.21  AU  australia
Perth          101.160.1.1       101.160.0.0/16    -31.95  115.86  AU  australia
Darwin         110.140.1.1       110.140.0.0/16    -12.46  130.84  AU  australia
Auckland       121.72.1.1        121.72.0.0/16     -36.85  174.76  NZ  australia
Port-Moresby   124.240.200.1     124.240.192.0/19   -9.44  147.18  PG  australia
one-address    8.8.4.77          8.8.4.77/32        -1.29   36.82  KE  africa
London-6       2a02:c7f::1       2a02:c7f::/32      51.51   -0.13  GB  europe
Bonn-6         2003:e1::5        2003:e0::/27       50.73    7.10  DE  europe
Marseille-6    2a01:cb00:7::1    2a01:cb00::/32     43.30    5.37  FR  europe
Dallas-6       2600:1700::9      2600:1700::/28     32.78  -96.80  US  america
Seattle-6      2601:6ab::1       2601:600::/24      47.61 -122.33  US  america
Sao-Paulo-6    2804:14d::1       2804:14c::/31     -23.55  -46.63  BR  brazil
Montevideo-6   2800:a4::1        2800:a0::/28      -34.90  -56.19  UY  brazil
Johannesburg-6 2c0f:f248::1      2c0f:f248::/32    -26.20   28.05  ZA  africa
Osaka-6        2001:218::1       2001:218::/32      34.69  135.50  JP  asia
Shanghai-6     240e:fff::1       240e::/20          31.23  121.47  CN  asia
Kuala-Lumpur-6 2406:3003::1      2406:3000::/29      3.14  101.69  MY  asia
Melbourne-6    2405:6e00::1      2405:6e00::/32    -37.81  144.96  AU  australia
Wellington-6   2404:130::1       2404:130::/32     -41.29  174.78  NZ  australia
one-address-6  2400:cb00::77     2400:cb00::77/128 -22.91  -43.17  BR  brazil
`.trim().split('\n').map((line) => {
  const [city, address, network, latitude, longitude, country, region] = line.trim().split(/\s+/);
  return { city, address, network, at: [Number(latitude), Number(longitude)], country, region };
});

function vector([latitude, longitude]) {
  const [north, east] = [latitude, longitude].map((degrees) => (degrees * Math.PI) / 180);
  return [Math.cos(north) * Math.cos(east), Math.cos(north) * Math.sin(east), Math.sin(north)];
}

function kilometres(one, other) {
  const [[a, b, c], [d, e, f]] = [vector(one), vector(other)];
  const across = Math.hypot(b * f - c * e, c * d - a * f, a * e - b * d);
  return 6371 * Math.atan2(across, a * d + b * e + c * f);
}

/** The regions, the nearest first: [name, km]. */
function byDistance(at) {
  return Object.entries(REGIONS).map(([name, region]) => [name, kilometres(at, region.at)]).sort((a, b) => a[1] - b[1]);
}

function nearest(at) {
  const [[name, first], [, second]] = byDistance(at);
  assert.ok(second - first > 50, `${at} is too near the middle of two regions for a test`);
  return name;
}

module.exports = { REGIONS, CITIES, nearest, kilometres };
