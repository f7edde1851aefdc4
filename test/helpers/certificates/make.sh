#!/bin/sh
# Makes the certificates of the tests anew, valid until 2126 (one until 2020), with the openssl of any Linux.
# Each is its own authority. Their keys protect nothing.
set -e
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make() { # name, names, first day, last day
  openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1.key.pem"
  : > "$work/index"
  printf '%s\n' '[ca]' 'default_ca=d' '[d]' "database=$work/index" "new_certs_dir=$work" 'rand_serial=yes' \
    'default_md=sha256' 'policy=p' 'x509_extensions=x' 'unique_subject=no' '[p]' 'commonName=supplied' \
    '[req]' 'distinguished_name=n' '[n]' '[x]' 'basicConstraints=critical,CA:TRUE' "subjectAltName=$2" > "$work/conf"
  openssl req -new -config "$work/conf" -key "$1.key.pem" -subj "/CN=Zapp test $1" -out "$work/csr"
  openssl ca -batch -notext -selfsign -config "$work/conf" -keyfile "$1.key.pem" -in "$work/csr" \
    -startdate "$3" -enddate "$4" -out "$1.pem" 2> /dev/null
}

make shop 'DNS:shop.example,DNS:*.shop.example,DNS:localhost,IP:127.0.0.1' 20200101000000Z 21260101000000Z
make renewed 'DNS:shop.example,DNS:*.shop.example,DNS:localhost,IP:127.0.0.1' 20200101000000Z 21260101000000Z
make other 'DNS:other.example' 20200101000000Z 21260101000000Z
make expired 'DNS:shop.example' 19900101000000Z 20200101000000Z
openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:secret -in shop.key.pem -out locked.key.pem
