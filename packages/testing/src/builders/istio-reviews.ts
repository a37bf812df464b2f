/** The documents of an 80/20 canary, as a VirtualService and a DestinationRule of Istio's manual have them. */
export function istioReviews(v1: number, v2: number, host = 'reviews'): string {
  return `apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts:
    - "${host}"
  http:
    - route:
        - destination:
            host: reviews
            subset: v1
          weight: ${v1}
        - destination:
            host: reviews
            subset: v2
          weight: ${v2}
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata:
  name: reviews
spec:
  host: reviews
  subsets:
    - name: v1
      labels:
        version: v1
    - name: v2
      labels:
        version: v2
`;
}
