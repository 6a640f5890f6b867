// For unit tests only: certificates as swtpm_setup --create-ek-cert (swtpm 0.7.1) makes them, in base64 of
// DER. The TPM and the CA were made for this and are gone.
#pragma once

// The endorsement key's.
#define SWTPM_EK                                                                                             \
    "MIID9DCCAlygAwIBAgIBAjANBgkqhkiG9w0BAQsFADAYMRYwFAYDVQQDEw1zd3RwbS1sb2NhbGNhMCAXDTI2MTEyMzA3NDExNloYDz" \
    "k5"                                                                                                     \
    "OTkxMjMxMjM1OTU5WjASMRAwDgYDVQQDEwd1bmtub3duMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAkT+N/"          \
    "UJpULSRqQRz"                                                                                            \
    "a4rCw/py5wAtHxb976QZU+hZwG9qHISL3q1KEph+xhRt3v6HwadE/imBiVACVIR/"                                       \
    "65BHilNKIiSErTgvU4CrJiCd8YNRMwNkCrM6zlvO"                                                               \
    "4eVU2s7RCTzgyncUFvPjmuMIL346n9lt82fts+"                                                                 \
    "vuU0dBit9PdbLlnVfwo8NQEUzxOL9ECcmp5P32nlcmKwcJMy3hIDaEiNapjmcSTvsS"                                     \
    "T0pETMebmWeA10BW56xyS29GA9fr10q0VkTQxNVFQGtT4wQiGeegsRaXMZ1E267TFZdTMrfbpdy6UBo6WgcZybgDK1118CBNRtmt8J" \
    "Mp"                                                                                                     \
    "qofzKx+mz4cvjQIDAQABo4HMMIHJMBAGA1UdJQQJMAcGBWeBBQgBMFIGA1UdEQEB/"                                      \
    "wRIMEakRDBCMRYwFAYFZ4EFAgEMC2lkOjAwMDAx"                                                                \
    "MDE0MRAwDgYFZ4EFAgIMBXN3dHBtMRYwFAYFZ4EFAgMMC2lkOjIwMTkxMDIzMAwGA1UdEwEB/"                              \
    "wQCMAAwIgYDVR0JBBswGTAXBgVngQUC"                                                                        \
    "EDEOMAwMAzIuMAIBAAICAKQwHwYDVR0jBBgwFoAUC9SD2v3WcQ/Z9/nr+h2ux3/7K0AwDgYDVR0PAQH/"                       \
    "BAQDAgUgMA0GCSqGSIb3DQEB"                                                                               \
    "CwUAA4IBgQCXtj9AvhTP2V22CdQTdMj/"                                                                       \
    "JgY04sNij92LhYEOsMHgt5BiHgqZCVw60EDviIoffs0qlYPRBvwhfuBN5Rvq6P2Az7XDmWFV"                               \
    "+m8V+W0d4BPV2i/Es/fxXKvItwqr4T5YVf/"                                                                    \
    "qvd0x9qTglKEwXc3kHGsPsWiZSkBLPCOEh2puzXIgkbMvpVP14LqtsJFmeVZeqBXOH0Nv"                                  \
    "CFiKEVSM9x6pTbm/"                                                                                       \
    "VvbDX3Ht+Gpj9Vs7EEF7JYEL1EhZ+0g1EUMHdwPnOZaqmgMCfcSmTUfBqVsIeGQKKYyq1+zuFs0zuAZwKRPTIoDx"               \
    "rR0DZ9KVj6SHuPCyLTeyB2dPbl/"                                                                            \
    "8EZwHcYAyfw+zK46woXKkd2I7xccwkd7sPzKSHy7E+fx9OZ37fZOZySUCIPaGivAqX7MIzrYzbTK3"                          \
    "PQPxUoidyA0wMt3xUC0v+vCVlUDQUZCh+gEeZX6vu6TVn2Pf764FpQZAT/CY4H2sAVQwP67mUKQtby1t1MBl2XK6n/76LDB/"       \
    "feX47ZYW"                                                                                               \
    "Mcs="
// Who issued it.
#define SWTPM_CA                                                                                             \
    "MIIEKjCCApKgAwIBAgIUDlMl5LFBmCXWs1uPxVBcy8cTIT0wDQYJKoZIhvcNAQELBQAwHzEdMBsGA1UEAxMUc3d0cG0tbG9jYWxjYS" \
    "1y"                                                                                                     \
    "b290Y2EwIBcNMjYxMTIzMDc0MTE2WhgPOTk5OTEyMzEyMzU5NTlaMBgxFjAUBgNVBAMTDXN3dHBtLWxvY2FsY2EwggGiMA0GCSqGSI" \
    "b3"                                                                                                     \
    "DQEBAQUAA4IBjwAwggGKAoIBgQCtstgyHWCIEFmnO5Oa4R+Z9Ebg8XfZgla4SolgtvktGWY7cEBKe7/"                        \
    "8Dr2qdzjxT+cEIRh1cjcX7v03"                                                                              \
    "/DCZtoqRySeG8DkuyPZ3vLPr2jmrlwsnCXUtCP9pU/OWSz/"                                                        \
    "P94V1S7rWCceTIy05r9rVqB+r47UKYp0BJNTIQNib8gjjkAGyQ1fFMH2n"                                              \
    "/NfENDa3EpgGqEwCb5WQnNiCJ8ywqyigPflVkzMurvw7sqnR32zfW40UTlIHT3OJj79CJgbkwKX8snoF7qi99fhO39YKdfLReSIeUe" \
    "pY"                                                                                                     \
    "tDgjH6gHAYmCiqmAbLZl1IRzRHhbGwBmiOzP8/RYwNAG1DVTIpVFw2fjwNO7SmCwBYINXclDiQepru8EVcfrE3lZl5B6V+/"        \
    "qdw++8QUu"                                                                                              \
    "ZgjzsqcvMf5mY182nFShg7x4vBju8TH1VvN1M8Z3p7N7HUYcyH0hH0F5zn0OgErhKcDW7sWTowXJzWV58iE+"                   \
    "pDkYGzTtNn23IGOR97zg"                                                                                   \
    "Q/08jK7J+DtrC2q7A4UCAwEAAaNjMGEwDwYDVR0TAQH/BAUwAwEB/"                                                  \
    "zAOBgNVHQ8BAf8EBAMCAgQwHQYDVR0OBBYEFAvUg9r91nEP2ff5"                                                    \
    "6/odrsd/"                                                                                               \
    "+ytAMB8GA1UdIwQYMBaAFCb165tCJVTxTkMiTodRKnQS+GXWMA0GCSqGSIb3DQEBCwUAA4IBgQBMmVTvfUUYmBanjFBIPVDU"       \
    "uxFZy1O3TD52xHzxlTNk/"                                                                                  \
    "6G3ZY9Vh+n4yfrayUT59Un5YPJHg4cMlzkuzCJKWeawzor1r8Pe7DAZdk+3EWVwLTYSt0U87Ara4LKeCX1m"                    \
    "vNF0hU2YTJTFqZXdTrk7x0LVxelc7wTRemyTOU7rDiBAnUJf8k3GlFLcJqECwfNTSfhK9xjO+JzZ1KqrcO4uY/GJ55TYYdI9Wy/"    \
    "1euiz"                                                                                                  \
    "7oST81pPsah4MOEmtN7zqUfI/6xP+4nKU2wW8lyXx0faPnuuTTqzZbyG35Iuj/5Qp+AMq0XM/"                              \
    "fFWXA0UY35mZ5QzHN1ik5oPrAN90Gvv"                                                                        \
    "xUxEMEvKsqolEKZMxivfqME6/inJ3jMAEAeYmcmv0KKkjyVAaG/"                                                    \
    "1AaxG3VKNfDlYO1QQirxlB9weBcOMTpGclcwvT6vG8VMuXM7eCnOc"                                                  \
    "4RJvTQicFL2vMLc0eoO6H22qWJaAeyNkb23DUMIqRGoERQQ8i8NP1ius6/3As/5gfjKFsQsZ4hM="
// Who issued that.
#define SWTPM_ROOT                                                                                           \
    "MIIEEDCCAnigAwIBAgIUJJPIV1I7goysQHKODKAKuCx92kkwDQYJKoZIhvcNAQELBQAwHzEdMBsGA1UEAxMUc3d0cG0tbG9jYWxjYS" \
    "1y"                                                                                                     \
    "b290Y2EwIBcNMjYxMTIzMDc0MTE2WhgPOTk5OTEyMzEyMzU5NTlaMB8xHTAbBgNVBAMTFHN3dHBtLWxvY2FsY2Etcm9vdGNhMIIBoj" \
    "AN"                                                                                                     \
    "BgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEA2sKTTG13ILE38etbPnqE7Iu8Eqo5b0x0amQYIOLKTEubM+"                     \
    "oVsRMMsu8QeARhu3UKpG7t"                                                                                 \
    "mLrWu1XtlAqxkv0spYmJrqXL/eCmZyyua9WRLGWAAx8e/"                                                          \
    "Esn+h6k0wgYbV9jasjStwaOYneDIyQZCVxefcYzCK3tLvXWYJuYmR9RDxcA"                                            \
    "lciuJPH4WKiTTG9kiFWWkDOtqco0VdYhv5JUDIH6A0tvz3lOk4muEyDacj3s+s4znHWyKPgtGH/"                            \
    "ZJJ9KiDRf1JaR+7+85aV1JWiLw82j"                                                                          \
    "ydjKF2gg3MJmCR1PxoY+iqeEbfKf54rthI8YM2gtPJ9VZV6GdYaYzR7+"                                               \
    "AJsFpED2sAquW1ajuwM13autOngUPyru9ii2Rb2NMNYkUp8F"                                                       \
    "pu1HYu9/Z7RojUzjbrB+0CIbjoeClPz+EHbC8/"                                                                 \
    "lKUyxs1AHlasXaKLWvc6u+3xd9G1C16DcN3+a8tjxCswDZF4HMsp+0w5c1biPr+pX3"                                     \
    "cU9Im35DNJuL8wB+pNRP7qpJ5EXhAgMBAAGjQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/"                           \
    "BAQDAgIEMB0GA1UdDgQWBBQm9eub"                                                                           \
    "QiVU8U5DIk6HUSp0Evhl1jANBgkqhkiG9w0BAQsFAAOCAYEAMERTaDSUIH6xE6u27hEYIQcb/"                              \
    "WuX+CCU+YocGoajjuCsdPB0rG1MsBoa"                                                                        \
    "AkhqumepaTHnN4a4wa2Omn5jpojl+Fe3KX+D2CwOkpMV68RDBiN5uBpU/pNdZppekDdTxvcCgRmgZ/"                         \
    "9ke7H5eB2PQXFFcaBI1HffGb0f"                                                                             \
    "+TugEOBTKFwQGslsdf8PzpYvR33EwwCWED/VqVwr2IaV8Hr5n24kKXDZ5X7JaeL1BZKH6pRWPcy+2+3hw5dt7IqPBWQeywurdb/"    \
    "Jluel"                                                                                                  \
    "tYf9/fHiRE6pFr2Xt9n80pXerHiVSU5B0v0BDcHM51/"                                                            \
    "ZR7XXO8V9coc4xMtlE5lpaDZ6SXADLysRQ2IJbOg2j+cMWWUj8CQDbVEq6c/a"                                          \
    "Art6m44+7LoJpdyMmBMUmTrFtYKBW8KRNY2zuQkGRz66xxFBKNAJ1sHR/"                                              \
    "UyyCM8cFnisfcdg5KkPs4UQ9sKPNYRF58w4yP1usZVNQ25d"                                                        \
    "cFw4Gf5PHvIyFA0hqt9Td9w91o/zVkw0LCERk8Jz"
