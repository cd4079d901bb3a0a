"""Hears of orders, prices, discounts, stock and themes from Shopify."""
